"""One vocabulary of actions over many providers."""
