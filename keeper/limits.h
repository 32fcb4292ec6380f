// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_LIMITS_H
#define KEEPER_LIMITS_H

/* Every wait has a bound, and every bound stands here. Milliseconds. */

#define LIMIT_HEADER_MS 10000    /* front: from connection or last answer to the last header */
#define LIMIT_BODY_MS 30000      /* front: from the last header to the last byte of the body */
#define LIMIT_QUEUE_MS 2000      /* keeper: from arrival to being taken into a batch */
#define LIMIT_ANSWER_MS 15000    /* front: from sending to the keeper to the first byte back */
#define LIMIT_TAKEN_GRACE_MS 500 /* front: for a TAKEN that crosses the queue deadline */
#define LIMIT_LINK_WRITE_MS 5000 /* both: one write to the other process */
#define LIMIT_LOCK_MS 2000       /* PostgreSQL lock_timeout */
#define LIMIT_STATEMENT_MS 2000  /* PostgreSQL statement_timeout, interactive lanes */
#define LIMIT_SILENCE_MS 1000    /* keeper: beyond the server's own limits, until it is given up */
#define LIMIT_SPLIT_MS 8000      /* keeper: halving a batch that fails, from its beginning */
#define LIMIT_BULK_STATEMENT_MS 12000  /* PostgreSQL statement_timeout, bulk lane */
#define LIMIT_IDLE_TRANSACTION_MS 5000 /* PostgreSQL idle_in_transaction_session_timeout */
#define LIMIT_SILENT_WRITER_MS 5000    /* PostgreSQL idle_session_timeout of who holds the lock */
#define LIMIT_SESSION_END_MS 1500      /* of a PostgreSQL session that was told to */
#define LIMIT_CONNECT_MS 2000          /* to PostgreSQL */
#define LIMIT_WITNESS_CONNECT_MS 3000  /* courier: to a witness */
#define LIMIT_WITNESS_MS                                                                           \
    5000 /* courier: from the request to a witness to the end of its answer                        \
          */
#define LIMIT_WITNESS_ROUND_MS 12000 /* keeper: all witnesses, each asked twice at most */
#define LIMIT_STOP_MS 5000           /* parent: from SIGTERM to SIGKILL of a child */

#endif
