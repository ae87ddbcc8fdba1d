"""How a label or an information code reaches either player. Labels are `[N]` int64 in `[0, classes)`."""
