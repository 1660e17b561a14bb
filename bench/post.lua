-- A chat request of 500 bytes, for wrk. The environment varies it: STREAM asks for a stream, BODY is the body's size in
-- bytes, HEADERS the number of headers (at least 4), MODELS the number of models that take turns: m, m1, m2, ...
local size = tonumber(os.getenv("BODY") or 500)
local models = tonumber(os.getenv("MODELS") or 1)

local function body(model)
  local stream = os.getenv("STREAM") and ',"stream":true' or ""
  local head = '{"model":"' .. model .. '"' .. stream .. ',"messages":[{"role":"user","content":"'
  return head .. string.rep("x", size - #head - 4) .. '"}]}'
end

wrk.method = "POST"
wrk.path = "/v1/chat/completions"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer sk-0123456789"
for number = 5, tonumber(os.getenv("HEADERS") or 4) do -- Host and Content-Length are wrk's own
  wrk.headers["X-Trace-" .. number] = "0123456789abcdef01234567"
end
wrk.body = body("m")

if models > 1 then
  local requests, turn = {}, 0
  function init()
    for number = 1, models do
      requests[number] = wrk.format(nil, nil, nil, body(number == 1 and "m" or "m" .. number - 1))
    end
  end
  function request()
    turn = turn % models + 1
    return requests[turn]
  end
end
