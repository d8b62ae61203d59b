// Painting by WebGL 2: samples are an integer texture, the window is a table, both are looked up as they are drawn.

import { tapsFor } from "./resample.js";

const LONGEST = 250; // ms that a finely drawn picture may take

const VERTEX = `#version 300 es
void main() { gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0); }`;

const FRAGMENT = `#version 300 es
precision highp float; precision highp int; precision highp usampler2D;
uniform usampler2D picture; uniform sampler2D table;
uniform ivec2 size; uniform vec2 limit; uniform vec2 scale; uniform vec2 offset; uniform float height; uniform int taps; uniform bool colour;
out vec4 shade;
float grey(uint sampled) { return texelFetch(table, ivec2(int(sampled & 255u), int(sampled >> 8)), 0).r; }
vec3 look(ivec2 place) {
  uvec4 found = texelFetch(picture, clamp(place, ivec2(0), size - 1), 0);
  return colour ? vec3(grey(found.r), grey(found.g), grey(found.b)) : vec3(grey(found.r));
}
vec3 blended(vec2 place) {
  vec2 low = floor(place - 0.5); vec2 share = place - 0.5 - low; ivec2 at = ivec2(low);
  vec3 upper = mix(look(at), look(at + ivec2(1, 0)), share.x);
  return share.y == 0.0 ? upper : mix(upper, mix(look(at + ivec2(0, 1)), look(at + ivec2(1, 1)), share.x), share.y);
}
vec3 averaged(vec2 place) {
  vec3 sum = vec3(0.0);
  for (int j = 0; j < taps; j++) for (int i = 0; i < taps; i++)
    sum += look(ivec2(floor(place + ((vec2(i, j) + 0.5) / float(taps) - 0.5) / scale)));
  return sum / float(taps * taps);
}
void main() {
  vec2 place = (vec2(gl_FragCoord.x, height - gl_FragCoord.y) - offset) / scale;
  bool inside = all(greaterThanEqual(place, vec2(0.0))) && all(lessThan(place, limit));
  shade = vec4(inside ? (taps == 0 ? blended(place) : averaged(place)) : vec3(0.0), 1.0);
}`;

function compiled(gl, kind, source) {
  const shader = gl.createShader(kind);
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  return shader;
}

function programOf(gl) {
  const program = gl.createProgram();
  gl.attachShader(program, compiled(gl, gl.VERTEX_SHADER, VERTEX));
  gl.attachShader(program, compiled(gl, gl.FRAGMENT_SHADER, FRAGMENT));
  gl.linkProgram(program);
  return gl.getProgramParameter(program, gl.LINK_STATUS) ? program : null;
}

function texture(gl, unit) {
  gl.activeTexture(gl.TEXTURE0 + unit);
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  for (const edge of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, edge, gl.CLAMP_TO_EDGE);
  for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
}

export class GlPainter {
  kind = "webgl2";

  /** Null where there is no WebGL 2. `lost` is called when the graphics card goes away. */
  static on(canvas, lost) {
    const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false, preserveDrawingBuffer: true });
    const program = gl && programOf(gl);
    return program ? new GlPainter(canvas, gl, program, lost) : null;
  }

  constructor(canvas, gl, program, lost) {
    Object.assign(this, { canvas, gl, program });
    this.most = gl.getParameter(gl.MAX_TEXTURE_SIZE);
    canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      lost();
    });
    gl.useProgram(program);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    this.at = Object.fromEntries(["picture", "table", "size", "limit", "scale", "offset", "height", "taps", "colour"].map((name) => [name, gl.getUniformLocation(program, name)]));
    gl.uniform1i(this.at.picture, 0);
    gl.uniform1i(this.at.table, 1);
    texture(gl, 0);
    texture(gl, 1);
    gl.activeTexture(gl.TEXTURE1);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.R8, 256, 256);
  }

  takes({ rows, columns }) {
    return Math.max(rows, columns) <= this.most;
  }

  show(picture) {
    const { gl } = this;
    this.picture = picture;
    gl.activeTexture(gl.TEXTURE0);
    const [inside, format] = picture.kind === "colour" ? [gl.RGBA8UI, gl.RGBA_INTEGER] : picture.data.BYTES_PER_ELEMENT === 1 ? [gl.R8UI, gl.RED_INTEGER] : [gl.R16UI, gl.RED_INTEGER];
    const type = inside === gl.R16UI ? gl.UNSIGNED_SHORT : gl.UNSIGNED_BYTE;
    const data = picture.kind === "colour" ? new Uint8Array(picture.data.buffer, picture.data.byteOffset, picture.data.length) : picture.data;
    gl.texImage2D(gl.TEXTURE_2D, 0, inside, picture.columns, picture.rows, 0, format, type, data);
  }

  table(entries) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE1);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, 256, entries.length / 256, gl.RED, gl.UNSIGNED_BYTE, entries);
  }

  /** Synchronous; resolves at once. `most`: samples averaged to a pixel, along one axis. */
  draw(view, most) {
    const taps = Math.max(tapsFor(view.scaleX, most), tapsFor(view.scaleY, most));
    this.#paint(view, taps > 2 ? Math.min(taps, this.#affordable(view)) : taps);
    return Promise.resolve();
  }

  #paint(view, taps) {
    const { gl, at, canvas, picture } = this;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.uniform2i(at.size, picture.columns, picture.rows);
    gl.uniform2f(at.limit, view.limitX, view.limitY);
    gl.uniform2f(at.scale, view.scaleX, view.scaleY);
    gl.uniform2f(at.offset, view.x, view.y);
    gl.uniform1f(at.height, canvas.height);
    gl.uniform1i(at.taps, taps);
    gl.uniform1i(at.colour, Number(picture.kind === "colour"));
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  /** How many taps a side are drawn without the page standing still: all of them on a graphics card, few
   * where a processor plays one. Found out once for each size of the canvas. */
  #affordable(view) {
    const { width, height } = this.canvas;
    const size = `${width}x${height}`;
    if (this.measured?.size !== size) {
      this.#timed(view); // the first one also waits for what was to be done before
      this.measured = { size, taps: Math.max(2, Math.floor(Math.sqrt(LONGEST / Math.max(0.01, this.#timed(view))))) };
    }
    return this.measured.taps;
  }

  #timed(view) {
    const begin = performance.now();
    this.#paint(view, 1);
    this.gl.readPixels(0, 0, 1, 1, this.gl.RGBA, this.gl.UNSIGNED_BYTE, new Uint8Array(4));
    return performance.now() - begin;
  }

  clear() {
    this.gl.clearColor(0, 0, 0, 1);
    this.gl.clear(this.gl.COLOR_BUFFER_BIT);
  }
}
