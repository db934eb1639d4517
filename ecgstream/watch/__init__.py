"""The watch on the system itself: a process of its own, which needs no worker, database or Kafka to alarm.

    probes, kafka, roster    what is there, each in a thread of its own and with a time limit
    rules                    what of it is wrong: pure, on a clock that is handed in
    alarms, book             what is told, once; and what must be known after a restart
    tell                     the webhook and the dead man's switch
    run                      all of it together

**The dead man's switch** (``heartbeat_url``) is called every ``heartbeat_s`` while the watch works and can
see. It falls silent, so that somebody outside raises the alarm, when

* the watch does not run, or its machine or its line to the outside is down;
* its rules have not been applied for 5 s;
* one of its looks has been hanging for 30 s (after 120 s it ends itself, to be started again);
* something has not been looked at yet; or a broker answers, and yet the log, its copies, what gateways say or
  the roster could not be read for a minute, as when a right is lost;
* what it has to tell has not been taken by the webhook for a minute.

An alarm that is open does not silence it, nor does a server that is away: that is seen, and told.
"""
