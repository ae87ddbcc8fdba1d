"""The parts of the gate: what is expected, how Great Expectations judges it, the page that shows it."""
