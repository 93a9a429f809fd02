"""The Twilio receiver."""
