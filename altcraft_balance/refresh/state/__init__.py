"""What a run leaves on the disk while it is unfinished, so that another process can go on."""
