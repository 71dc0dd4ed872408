"""Which failures are the same fault: what is special about problems, and the situation that failures share."""
