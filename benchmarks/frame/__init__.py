"""What every bench needs: processes, Redis servers, rounds, tables."""
