"""What makes a measurement worthless."""


class NotMeasured(Exception):
    """Something that the measurement needs is not there. The message says what, and how to get it."""


class Dishonest(Exception):
    """What was counted afterwards is not what the figure would claim. Such a figure is worse than none."""
