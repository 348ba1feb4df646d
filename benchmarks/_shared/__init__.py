"""What several benchmarks use: their command line, synthetic inputs, clocks, processes of their own."""
