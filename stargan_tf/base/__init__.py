"""What every part stands on: errors, command lines, files, directories."""
