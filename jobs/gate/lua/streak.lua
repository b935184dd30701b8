-- One more answer that says nothing good (unknown, refused by no table). ARGV: token, reason, why, how many open the breaker,
-- first wait, longest, since when this answer has been given ('' = just now).
-- Returns 1 when the breaker has just opened, 2 when others have been accepted since: it is not the account's fault.
return once(ARGV[1], function()
  local accepted = tonumber(redis.call('HGET', key('gate'), 'last_accept') or '0')
  if ARGV[7] ~= '' and accepted > tonumber(ARGV[7]) then return 2 end
  local asked = redis.call('HEXISTS', key('gate'), 'breaker_asked') == 1
  local opened = count_bad(ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]))
  -- Said of a poll, be it for the first time or once more while it is open: see poll_answered.
  if ARGV[2] == 'token' and (opened == 1 or asked) then redis.call('HSET', key('gate'), 'breaker_asked', 1) end
  return opened
end)
