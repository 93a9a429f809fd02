"""One folder a kind of receiver: config.py, receiver.py, README.md. Adding one is a folder and a line."""
