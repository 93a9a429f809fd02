"""Plans by which the platform runs itself: rollouts, sizes, places. Playbooks carry them out."""
