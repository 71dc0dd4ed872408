"""The record of a run: its lines, reader and writer; failures grouped by cause; strict reading of JSON."""
