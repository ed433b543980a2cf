"""What was measured, with the settings and the machine it was measured on. Drawn elsewhere (draw.page)."""

from cutaway.reports.report import Baseline as Baseline
from cutaway.reports.report import Calibration as Calibration
from cutaway.reports.report import ClassScore as ClassScore
from cutaway.reports.report import Diagnosis as Diagnosis
from cutaway.reports.report import EpochRow as EpochRow
from cutaway.reports.report import Finding as Finding
from cutaway.reports.report import Measured as Measured
from cutaway.reports.report import Mistake as Mistake
from cutaway.reports.report import Report as Report
