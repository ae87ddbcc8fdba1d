"""How each player gets or predicts a label or an information code. Labels are `[N]` int64 in `[0, classes)`."""
