-- Pauses the account unless it is paused already. ARGV: why. Returns 1 when it has just been paused.
return redis.call('HSETNX', key('gate'), 'paused', ARGV[1])
