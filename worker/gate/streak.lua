-- One more answer that says nothing good (unknown, 5xx, not sent). ARGV: reason, why, how many open the breaker, first wait, longest,
-- since when this answer has been given ('' = just now).
-- Returns 1 when the breaker has just opened, 2 when others have been accepted since: it is not the account's fault.
local gate = key('gate')
if ARGV[6] ~= '' and tonumber(redis.call('HGET', gate, 'last_accept') or '0') > tonumber(ARGV[6]) then return 2 end
local streak = redis.call('HINCRBY', gate, 'streak', 1)
local state = redis.call('HMGET', gate, 'breaker', 'probe_at')
-- Open already: only a probe's own bad answer lengthens the wait, not the answers that were under way.
if (state[1] and tonumber(state[2]) <= now) or (not state[1] and streak >= tonumber(ARGV[3])) then
  return open_breaker(ARGV[1], ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5]))
end
return 0
