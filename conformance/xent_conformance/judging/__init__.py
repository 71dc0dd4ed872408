"""From one problem on one backend to findings."""
