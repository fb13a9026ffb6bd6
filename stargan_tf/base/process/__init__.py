"""What concerns the process as a whole: when it looks for garbage, and which devices it cannot use."""
