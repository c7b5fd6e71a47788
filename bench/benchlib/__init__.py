"""What bench/intake.py is made of."""
