-- Pauses the account unless it is paused already. ARGV: token, why. Returns 1 when it has just been paused.
return once(ARGV[1], function()
  return redis.call('HSETNX', key('gate'), 'paused', ARGV[2])
end)
