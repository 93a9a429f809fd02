"""REST over rules, alerts and deliveries. Views parse, call one service, present."""
