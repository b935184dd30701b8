-- One more answer that says nothing good (unknown, 5xx, not sent). ARGV: reason, why, how many open the breaker, first wait, longest.
-- Returns 1 when the breaker has just opened.
local gate = key('gate')
local streak = redis.call('HINCRBY', gate, 'streak', 1)
local state = redis.call('HMGET', gate, 'breaker', 'probe_at')
-- Open already: only a probe's own bad answer lengthens the wait, not the answers that were under way.
if (state[1] and tonumber(state[2]) <= now) or (not state[1] and streak >= tonumber(ARGV[3])) then
  return open_breaker(ARGV[1], ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5]))
end
return 0
