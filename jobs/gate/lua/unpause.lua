-- Takes back a pause that we made ourselves, never a person's. ARGV: token, its reason. Returns 1 when it was there.
return once(ARGV[1], function()
  if redis.call('HGET', key('gate'), 'paused') ~= ARGV[2] then return 0 end
  redis.call('HDEL', key('gate'), 'paused')
  notify('wakeups', 64)
  return 1
end)
