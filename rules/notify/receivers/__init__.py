"""One folder a kind of receiver, all alike: config.py, receiver.py, README.md. Adding one is a folder and a
line.
"""
