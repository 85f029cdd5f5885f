"""What a task is and what may happen to it, without any infrastructure."""
