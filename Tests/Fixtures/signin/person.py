#!/usr/bin/env python3
"""Plays a person with a browser: opens the address, follows where it leads, leaves the page in the profile."""
import sys
import urllib.request

with urllib.request.urlopen(sys.argv[1]) as answer:
    page = answer.read().decode()
with open(sys.argv[2] + "/page", "w") as file:
    file.write(page)
