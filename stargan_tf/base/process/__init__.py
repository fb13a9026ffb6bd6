"""What concerns the process as a whole: its garbage, its end by signals, its children, and devices it cannot use."""
