"""What pages ask of the database, over the views of ``api``, on a connection that reads as one person."""
