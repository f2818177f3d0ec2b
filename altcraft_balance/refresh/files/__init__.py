"""Files as sources and sinks: CSV, JSON lines, Parquet; they grow durably and appear when whole."""
