"""HTTP requests that an account allows."""
