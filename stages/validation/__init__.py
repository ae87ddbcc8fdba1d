"""The parts of the gate: the expectations, how Great Expectations checks them, the page that shows them."""
