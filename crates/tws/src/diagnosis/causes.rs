//! The causes that are known, as data: what a line must hold, what it means, what to do.
//!
//! A line matches when it holds all words of one of the alternatives, in lower case. The weight says
//! which of several matches is nearer to the root: a code of a database or of the system beats the
//! program's own last words.

use super::Transience;
use super::Transience::{Persistent, Transient, Unknown};

/// A known cause.
pub(super) struct Known {
    pub(super) code: &'static str,
    /// Alternatives; of one of them a line holds every word.
    signs: &'static [&'static [&'static str]],
    pub(super) weight: u8,
    pub(super) transience: Transience,
    pub(super) en: &'static str,
    pub(super) pt: &'static str,
    pub(super) steps: &'static [(&'static str, &'static str)],
}

impl Known {
    /// Whether the line, in lower case, names this cause.
    pub(super) fn is_in(&self, line: &str) -> bool {
        self.signs
            .iter()
            .any(|words| words.iter().all(|word| line.contains(word)))
    }
}

const RERUN: (&str, &str) = ("Rerun the job.", "Execute o job novamente (rerun).");

/// What a return code above 0 of a job that ended well means.
pub(super) const MAPPED: Known = Known {
    code: "mapped-return-code",
    signs: &[],
    weight: 0,
    transience: Unknown,
    en: "The job ended with a return code that its definition counts as success.",
    pt: "O job terminou com um código de retorno que sua definição conta como sucesso.",
    steps: &[(
        "Look at the warnings in the log; nothing needs to be rerun.",
        "Veja os avisos no log; nada precisa ser reexecutado.",
    )],
};

/// The causes that a line can name.
pub(super) const KNOWN: &[Known] = &[
    Known {
        code: "database-deadlock",
        signs: &[
            &["ora-00060"],
            &["deadlock detected"],
            &["deadlock victim"],
            &["sql0911n"],
        ],
        weight: 9,
        transience: Transient,
        en: "The database ended the job's transaction because of a deadlock with another session.",
        pt: "O banco de dados encerrou a transação do job por um deadlock com outra sessão.",
        steps: &[
            RERUN,
            (
                "If it happens again, ask the DBA which session it collided with.",
                "Se ocorrer de novo, pergunte ao DBA com qual sessão houve conflito.",
            ),
        ],
    },
    Known {
        code: "tablespace-full",
        signs: &[
            &["ora-01653"],
            &["ora-01654"],
            &["ora-01652"],
            &["ora-01688"],
            &["unable to extend", "tablespace"],
        ],
        weight: 9,
        transience: Persistent,
        en: "A tablespace of the database is full.",
        pt: "Um tablespace do banco de dados está cheio.",
        steps: &[
            (
                "Ask the DBA to add space to the tablespace named in the log.",
                "Peça ao DBA que acrescente espaço ao tablespace citado no log.",
            ),
            (
                "Rerun the job after that.",
                "Depois disso, execute o job novamente.",
            ),
        ],
    },
    Known {
        code: "database-sessions",
        signs: &[
            &["ora-00020"],
            &["ora-00018"],
            &["ora-12516"],
            &["ora-12519"],
            &["too many connections"],
            &["remaining connection slots"],
        ],
        weight: 9,
        transience: Transient,
        en: "The database has reached its limit of sessions or processes.",
        pt: "O banco de dados atingiu o limite de sessões ou processos.",
        steps: &[
            (
                "Wait some ten minutes, then rerun the job.",
                "Espere uns dez minutos e execute o job novamente.",
            ),
            (
                "If it stays, lower the workstation's limit or ask the DBA to raise the database's.",
                "Se persistir, reduza o limite da workstation ou peça ao DBA que aumente o do banco.",
            ),
        ],
    },
    Known {
        code: "database-account-locked",
        signs: &[
            &["ora-28000"],
            &["the account is locked"],
            &["account locked"],
        ],
        weight: 9,
        transience: Persistent,
        en: "The database account of the job is locked.",
        pt: "A conta do job no banco de dados está bloqueada.",
        steps: &[
            (
                "Ask the DBA to unlock the account, and find out who used a wrong password.",
                "Peça ao DBA que desbloqueie a conta e descubra quem usou uma senha errada.",
            ),
            (
                "Do not rerun before: other jobs of the same account fail as well.",
                "Não reexecute antes: outros jobs da mesma conta também falham.",
            ),
        ],
    },
    Known {
        code: "database-password",
        signs: &[
            &["ora-01017"],
            &["ora-28001"],
            &["password authentication failed"],
        ],
        weight: 9,
        transience: Persistent,
        en: "The database refused the job's user or password, or the password has expired.",
        pt: "O banco de dados recusou o usuário ou a senha do job, ou a senha expirou.",
        steps: &[(
            "Have the job's database credentials checked before a rerun, so that the account is not locked.",
            "Peça a verificação das credenciais do job antes de reexecutar, para não bloquear a conta.",
        )],
    },
    Known {
        code: "duplicate-key",
        signs: &[
            &["ora-00001"],
            &["unique constraint", "violated"],
            &["duplicate key"],
        ],
        weight: 9,
        transience: Persistent,
        en: "The load met rows that are in the table already, as after a run that was broken off.",
        pt: "A carga encontrou linhas que já estão na tabela, como depois de uma execução interrompida.",
        steps: &[
            (
                "Run the cleanup of the batch first, if the job has one.",
                "Execute antes a limpeza do lote, se o job tiver uma.",
            ),
            (
                "Rerun the job after the cleanup.",
                "Execute o job novamente depois da limpeza.",
            ),
        ],
    },
    Known {
        code: "file-system-full",
        signs: &[
            &["no space left on device"],
            &["enospc"],
            &["disk full"],
            &["not enough space on the disk"],
        ],
        weight: 9,
        transience: Persistent,
        en: "A file system of the workstation is full.",
        pt: "Um sistema de arquivos da workstation está cheio.",
        steps: &[
            (
                "Free space on the file system named in the log; other jobs of the host may fail as well.",
                "Libere espaço no sistema de arquivos citado no log; outros jobs do host também podem falhar.",
            ),
            (
                "Rerun the job after that.",
                "Depois disso, execute o job novamente.",
            ),
        ],
    },
    Known {
        code: "balance-difference",
        signs: &[
            &["difference", "exceeds tolerance"],
            &["bal009"],
            &["not closed", "difference"],
        ],
        weight: 9,
        transience: Persistent,
        en: "A business check found a difference; the job did what it should.",
        pt: "Uma verificação de negócio encontrou uma diferença; o job fez o que devia.",
        steps: &[
            (
                "Hand the figures to the business; they decide.",
                "Entregue os números à área de negócio; ela decide.",
            ),
            (
                "Never confirm this job as successful to get on.",
                "Nunca confirme este job como bem-sucedido para seguir adiante.",
            ),
        ],
    },
    Known {
        code: "input-rejected",
        signs: &[
            &["control total differs"],
            &["file rejected"],
            &["trailer", "mismatch"],
            &["rows rejected"],
        ],
        weight: 8,
        transience: Persistent,
        en: "The input was read and refused, because its content does not pass the job's checks.",
        pt: "A entrada foi lida e recusada, porque seu conteúdo não passa nas verificações do job.",
        steps: &[
            (
                "Ask the sender for a correct file.",
                "Peça um arquivo correto ao remetente.",
            ),
            (
                "Rerun the job when it is there.",
                "Execute o job novamente quando ele chegar.",
            ),
        ],
    },
    Known {
        code: "host-key-changed",
        signs: &[
            &["host key", "changed"],
            &["host key", "not the one on file"],
            &["remote host identification has changed"],
            &["host key verification failed"],
        ],
        weight: 9,
        transience: Persistent,
        en: "The partner's SSH host key is not the one on file, so nothing was sent.",
        pt: "A chave SSH do parceiro não é a registrada; nada foi enviado.",
        steps: &[
            (
                "Ask the partner on another channel whether they changed the key. Do not accept it blindly.",
                "Pergunte ao parceiro por outro canal se trocou a chave. Não a aceite às cegas.",
            ),
            (
                "Have the new key put on file, then rerun the job.",
                "Faça registrar a nova chave e execute o job novamente.",
            ),
        ],
    },
    Known {
        code: "certificate-expired",
        signs: &[
            &["certificate has expired"],
            &["certificate expired"],
            &["cert_has_expired"],
            &["certificateexpired"],
        ],
        weight: 9,
        transience: Persistent,
        en: "A TLS certificate has expired.",
        pt: "Um certificado TLS expirou.",
        steps: &[
            (
                "Have the certificate renewed by its owner; do not turn the check off.",
                "Peça ao dono que renove o certificado; não desligue a verificação.",
            ),
            (
                "Rerun the job after that.",
                "Depois disso, execute o job novamente.",
            ),
        ],
    },
    Known {
        code: "agent-no-answer",
        signs: &[
            &["no answer from the agent"],
            &["agent", "does not answer"],
            &["agent", "not reachable"],
        ],
        weight: 8,
        transience: Transient,
        en: "The agent of the workstation does not answer.",
        pt: "O agente da workstation não responde.",
        steps: &[(
            "Have the agent and its host looked at; the job goes on when the agent is back.",
            "Verifique o agente e seu host; o job segue quando o agente voltar.",
        )],
    },
    Known {
        code: "http-unavailable",
        signs: &[
            &["503 service unavailable"],
            &["http 503"],
            &["status 503"],
            &["no healthy backend"],
            &["502 bad gateway"],
            &["504 gateway"],
        ],
        weight: 7,
        transience: Transient,
        en: "A web service that the job calls is not available.",
        pt: "Um serviço web que o job chama não está disponível.",
        steps: &[(
            "Look at the service; rerun the job when it answers, some 15 minutes later.",
            "Verifique o serviço; execute o job novamente quando ele responder, uns 15 minutos depois.",
        )],
    },
    Known {
        code: "connection-refused",
        signs: &[
            &["connection refused"],
            &["econnrefused"],
            &["no route to host"],
            &["connection timed out"],
            &["network is unreachable"],
        ],
        weight: 7,
        transience: Transient,
        en: "The other side did not take the connection.",
        pt: "O outro lado não aceitou a conexão.",
        steps: &[
            (
                "Check the network and the partner's service.",
                "Verifique a rede e o serviço do parceiro.",
            ),
            RERUN,
        ],
    },
    Known {
        code: "java-heap",
        signs: &[
            &["outofmemoryerror"],
            &["java heap space"],
            &["gc overhead limit"],
        ],
        weight: 9,
        transience: Persistent,
        en: "The Java program ran out of heap.",
        pt: "O programa Java esgotou seu heap.",
        steps: &[(
            "Have the heap of the job raised, or its data looked at; then rerun it.",
            "Peça o aumento do heap do job, ou a análise dos dados; depois execute-o novamente.",
        )],
    },
    Known {
        code: "out-of-memory",
        signs: &[
            &["out of memory: kill"],
            &["oom-kill"],
            &["cannot allocate memory"],
        ],
        weight: 8,
        transience: Transient,
        en: "The system ran out of memory and killed the process.",
        pt: "O sistema ficou sem memória e encerrou o processo.",
        steps: &[
            (
                "See what else ran on the host at that time; rerun the job when there is room.",
                "Veja o que mais rodava no host naquela hora; reexecute o job quando houver memória.",
            ),
            (
                "If it happens again, have its memory lowered or the host's raised.",
                "Se ocorrer de novo, reduza a memória do job ou aumente a do host.",
            ),
        ],
    },
    Known {
        code: "segmentation-fault",
        signs: &[&["segmentation fault"], &["sigsegv"], &["core dumped"]],
        weight: 9,
        transience: Persistent,
        en: "The program crashed with a segmentation fault.",
        pt: "O programa caiu com uma falha de segmentação.",
        steps: &[(
            "Ask its owners whether a release went out lately, and have it rolled back.",
            "Pergunte aos responsáveis se houve um release recente e peça o retorno à versão anterior.",
        )],
    },
    Known {
        code: "not-executable",
        signs: &[&["permission denied"], &["eacces"], &["access is denied"]],
        weight: 6,
        transience: Persistent,
        en: "The job lacks a permission, such as to execute its script or to read a file.",
        pt: "Falta ao job uma permissão, como a de executar seu script ou ler um arquivo.",
        steps: &[
            (
                "Have the owner and mode of the file named in the log corrected.",
                "Peça a correção do dono e das permissões do arquivo citado no log.",
            ),
            (
                "Rerun the job after that.",
                "Depois disso, execute o job novamente.",
            ),
        ],
    },
    Known {
        code: "login-unknown",
        signs: &[
            &["no such login"],
            &["unknown user"],
            &["account", "has expired"],
            &["cannot log on"],
            &["log on as a batch job"],
        ],
        weight: 8,
        transience: Persistent,
        en: "The user of the job is unknown, expired or may not log on on the workstation.",
        pt: "O usuário do job é desconhecido, expirou ou não pode entrar na workstation.",
        steps: &[(
            "Have the account and its rights on the workstation corrected, then rerun the job.",
            "Peça a correção da conta e de seus direitos na workstation; depois reexecute o job.",
        )],
    },
    Known {
        code: "variable-not-set",
        signs: &[
            &["parameter not set"],
            &["unbound variable"],
            &["parameter null or not set"],
        ],
        weight: 8,
        transience: Persistent,
        en: "A variable that the job uses has no value.",
        pt: "Uma variável que o job usa não tem valor.",
        steps: &[(
            "Set the variable in the variable table of the stream, then rerun the job.",
            "Defina a variável na tabela de variáveis do stream; depois execute o job novamente.",
        )],
    },
    Known {
        code: "already-running",
        signs: &[
            &[".lock held by"],
            &["lock file", "exists"],
            &["another instance is active"],
            &["already running"],
        ],
        weight: 7,
        transience: Transient,
        en: "Another instance of the job was still running.",
        pt: "Outra instância do job ainda estava em execução.",
        steps: &[(
            "Wait until the other instance has ended, then rerun the job.",
            "Espere a outra instância terminar e execute o job novamente.",
        )],
    },
    Known {
        code: "script-not-found",
        signs: &[
            &[".sh: not found"],
            &["command not found"],
            &["/bin/sh:", "not found"],
            &["not recognized as an internal or external command"],
        ],
        weight: 8,
        transience: Persistent,
        en: "The script or command of the job is not on the workstation.",
        pt: "O script ou comando do job não está na workstation.",
        steps: &[(
            "Have the deployment on the workstation checked, then rerun the job.",
            "Peça a verificação do deploy na workstation; depois execute o job novamente.",
        )],
    },
    Known {
        code: "input-missing",
        signs: &[
            &["no such file or directory"],
            &["enoent"],
            &["input not delivered"],
            &["file not found"],
        ],
        weight: 5,
        transience: Transient,
        en: "A file that the job needs is not there.",
        pt: "Um arquivo de que o job precisa não está lá.",
        steps: &[
            (
                "Ask the sender for the file named in the log.",
                "Cobre do remetente o arquivo citado no log.",
            ),
            (
                "Rerun the job when it has come.",
                "Execute o job novamente quando ele chegar.",
            ),
        ],
    },
    Known {
        code: "sap-job-cancelled",
        signs: &[&["sap job", "cancel"], &["abap runtime error"]],
        weight: 8,
        transience: Unknown,
        en: "The job inside SAP was cancelled.",
        pt: "O job dentro do SAP foi cancelado.",
        steps: &[(
            "Ask the SAP administrators for the reason in the job's log there; then rerun.",
            "Pergunte aos administradores SAP o motivo no log do job lá; depois reexecute.",
        )],
    },
    Known {
        code: "tape-media",
        signs: &[
            &["unable to allocate new media"],
            &["mount request", "no drive"],
            &["cleaning required"],
        ],
        weight: 8,
        transience: Unknown,
        en: "The tape library had no drive or medium for the backup.",
        pt: "A biblioteca de fitas não tinha unidade ou mídia para o backup.",
        steps: &[(
            "Have the library's drives and media looked at, then rerun the backup.",
            "Verifique as unidades e mídias da biblioteca; depois execute o backup novamente.",
        )],
    },
    Known {
        code: "data-exception",
        signs: &[
            &["completion code=0c7"],
            &["s0c7"],
            &["invalid decimal data"],
        ],
        weight: 9,
        transience: Persistent,
        en: "The program met a field whose data are not numeric.",
        pt: "O programa encontrou um campo cujos dados não são numéricos.",
        steps: &[(
            "Have the record named in the log corrected at its source, then rerun the job.",
            "Peça a correção, na origem, do registro citado no log; depois reexecute o job.",
        )],
    },
    Known {
        code: "waits-for-lock",
        signs: &[
            &["waiting on lock held by"],
            &["lock wait timeout"],
            &["ora-00054"],
        ],
        weight: 8,
        transience: Transient,
        en: "The job waits for a lock that another session holds.",
        pt: "O job espera um bloqueio mantido por outra sessão.",
        steps: &[(
            "Ask the holder of the session named in the log, or the DBA, to end it; decide then whether to kill the job.",
            "Peça ao dono da sessão citada no log, ou ao DBA, que a encerre; só então decida se o job deve ser encerrado.",
        )],
    },
    Known {
        code: "killed",
        signs: &[
            &["received sigterm"],
            &["process group terminated"],
            &["received sigkill"],
            &[" killed "],
            &["terminated by signal"],
        ],
        weight: 4,
        transience: Unknown,
        en: "The run was killed from outside.",
        pt: "A execução foi encerrada de fora.",
        steps: &[(
            "Find out who or what killed it, and why, before a rerun.",
            "Descubra quem ou o que a encerrou, e por quê, antes de reexecutar.",
        )],
    },
];

/// The cause that a return code alone speaks for.
pub(super) fn of_return_code(code: i32) -> Option<&'static Known> {
    let name = match code {
        126 => "not-executable",
        127 => "script-not-found",
        137 | 143 => "killed",
        139 => "segmentation-fault",
        _ => return None,
    };
    KNOWN.iter().find(|known| known.code == name)
}
