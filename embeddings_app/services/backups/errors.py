"""Why a backup or a restore does not happen. Nothing has been changed when one of these is raised."""


class BackupRefused(Exception):
    """It must not be done, or not now; the message says why and what to do."""


class BackupDamaged(BackupRefused):
    """The directory does not hold what its manifest says."""
