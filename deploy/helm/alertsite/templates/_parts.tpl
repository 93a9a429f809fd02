{{- /* What several templates share. Each `define` takes the chart's root, or a list of root and component. */ -}}
{{- define "alertsite.labels" -}}
app.kubernetes.io/name: alertsite
app.kubernetes.io/part-of: alertsite
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "alertsite.selector" -}}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "alertsite.image" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy | default "IfNotPresent" }}
securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
{{- end -}}

{{- define "alertsite.pod" -}}
serviceAccountName: {{ .Release.Name }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: 60
securityContext: {runAsNonRoot: true, runAsUser: 10001, seccompProfile: {type: RuntimeDefault}}
{{- end -}}

{{- define "alertsite.settings" -}}
envFrom:
  - configMapRef: {name: {{ .Release.Name }}}
  - secretRef: {name: {{ .Values.secretName }}}
{{- end -}}

{{- define "alertsite.awaitSchema" -}}
initContainers:
  - name: await-schema
    command: [python, manage.py, migrate, --check]
    {{- include "alertsite.image" . | nindent 4 }}
    {{- include "alertsite.settings" . | nindent 4 }}
    resources: {requests: {cpu: 50m, memory: 256Mi}, limits: {memory: 512Mi}}
{{- end -}}

{{- define "alertsite.beating" -}}
env: [{name: HEARTBEAT_FILE, value: /tmp/heartbeat}]
livenessProbe:
  exec: {command: [python, -m, alertsite.runtime.heartbeat, /tmp/heartbeat]}
  initialDelaySeconds: 30
  periodSeconds: 15
  timeoutSeconds: 10
  failureThreshold: 3
{{- end -}}
