-- For wrk: posts the lines of a file as JSON bodies, one after another, and ends with one line of JSON.
-- Arguments: the path, the file, the bearer key or nothing. All requests are made before the clock starts.

local requests = {}
local current = 0

function init(args)
  local headers = { ["Content-Type"] = "application/json" }
  if args[3] then
    headers["Authorization"] = "Bearer " .. args[3]
  end
  for body in io.lines(args[2]) do
    requests[#requests + 1] = wrk.format("POST", args[1], headers, body)
  end
end

function request()
  current = current % #requests + 1
  return requests[current]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"mean":%.1f,"max":%d,"status":%d,"socket":%d,"timeout":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.mean, latency.max,
    errors.status, errors.connect + errors.read + errors.write, errors.timeout))
end
