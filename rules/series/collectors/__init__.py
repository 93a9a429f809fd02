"""What measures systems and hands samples on."""
