"""Which of a scenario's settings matter: Sobol' indices and a tornado, on the same draws."""
