"""What is raised when Gantry cannot start, and how is it said?"""


class StartProblem(Exception):
    """One clear sentence for the person at the console; never shown with a traceback."""
