"""What is measured, a module each, with a coroutine `measure(plan)` that returns a `Result`."""
