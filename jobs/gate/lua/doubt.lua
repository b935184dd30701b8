-- Results that do not come stop the buying: the breaker opens until they come, whatever is accepted meanwhile.
-- ARGV: token, cause, why, first wait for a probe in ms, longest, the job ('odd' only). Causes: 'odd' (several tasks at once have a status that nobody has
-- documented) | 'silence' (no poll is answered) | 'pictures' (none can be fetched). Returns 1 when it has just been opened.
if ARGV[2] == 'odd' then
  if ARGV[6] ~= '' then redis.call('ZADD', key('odd'), now, ARGV[6]) end
  if odd_tasks() < ODD_TASKS then return 0 end
end
if redis.call('GET', key('once', ARGV[1])) then return 1 end
if redis.call('HEXISTS', key('gate'), 'breaker') == 1 then return 0 end
return once(ARGV[1], function()
  open_breaker('vendor', ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]))
  redis.call('HSET', key('gate'), 'breaker_by', ARGV[2])
  return 1
end)
