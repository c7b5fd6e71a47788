# Load for operators: make help. To build, test and measure Spillway itself: ./dev help.

.DEFAULT_GOAL := help

# Given on the command line or by the environment; tools/load.sh knows what they are where they are not given.
export BASE_URL K6_VUS K6_DURATION REPORT_DIR

TARGETS := help install-k6 load-intake load-waitroom-entry load-waitroom-circulation
.PHONY: $(TARGETS)

$(TARGETS):
	@tools/load.sh $@
