"""From a config to games, networks and runs: names become functions here."""
