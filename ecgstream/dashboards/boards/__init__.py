"""The six dashboards: what each shows."""

from ecgstream.dashboards.boards import alarms, clinic, devices, operations, patients, region

OF_A_FACILITY = (patients.BOARD, clinic.BOARD, region.BOARD, devices.BOARD, alarms.BOARD)
OPERATIONS = operations.BOARD
