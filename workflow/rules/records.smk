# Snakemake's record of a file (its rule, its settings, the checksums of its inputs) lies in the folder of the file's
# stage, as `.records/`, and not in `.snakemake/metadata`, which all configs share: so DVC versions files and records as
# one, and fetching a config's files neither lacks their records nor takes away those of another config.

import os
import re

from snakemake.persistence.file import FilePersistence

# A stage's folder, or that of a whole config for the files that lie in no stage's.
STAGE_FOLDER = re.compile(r"(data/prepared/[^/]+|results/[^/]+/[^/]+(?=/)|results/[^/]+)/")


def record_path(self, subject, id, elsewhere=FilePersistence._record_path):
    """Where a kind (`subject`) of note on a file (`id`) lies; only records move."""
    folder = STAGE_FOLDER.match(id)
    if subject != self._metadata_path or folder is None:
        return elsewhere(self, subject, id)
    return os.path.join(folder[1], ".records", id[folder.end() :])


FilePersistence._record_path = record_path
