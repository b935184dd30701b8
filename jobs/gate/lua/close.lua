-- Everybody waits, because of an answer that proves nothing of its job. ARGV: token, request id, why, ms (0 = a doubling wait),
-- longest ms, rate window ms, 1 = the rate was too high. Returns until when.
return once(ARGV[1], function()
  local begun = redis.call('HGET', key('job', ARGV[2]), 'begun_ms')
  local by = ARGV[7] == '1' and 'throttle' or 'close'
  local closed = close_account(by, ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), begun)
  if ARGV[7] == '1' then shrink_rate(closed, tonumber(ARGV[6])) end
  return closed
end)
