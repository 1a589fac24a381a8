"""Google's wire format, generateContent, as a client speaks it."""
