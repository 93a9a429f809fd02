"""From alert to message: routes, groups, inhibition, silences, intervals, the decision to tell people."""
