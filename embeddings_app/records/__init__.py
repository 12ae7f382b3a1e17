"""Every query on documents, vectors, the change log and the topology. No decisions are taken here."""
