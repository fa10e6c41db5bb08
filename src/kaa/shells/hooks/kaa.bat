@REM kaa's hook for cmd. Written by kaa; `kaa init` writes it anew.
@REM Without arguments of its own (AutoRun) it makes `kaa` a macro that calls this file.
@IF "%~1"=="--hook" (
    @DOSKEY kaa="%~f0" $*
    @GOTO :EOF
)
@IF /I "%~1"=="activate" GOTO :switch
@IF /I "%~1"=="deactivate" GOTO :switch
@CALL @PROGRAM@ %*
@IF NOT "%ERRORLEVEL%"=="0" EXIT /B %ERRORLEVEL%
@IF NOT DEFINED CONDA_PREFIX GOTO :EOF
@FOR %%c IN (install update upgrade remove uninstall sync undo rollback repair) DO @IF /I "%~1"=="%%c" GOTO :refresh
@GOTO :EOF
:refresh
@SET "_KAA_FILE=%TEMP%\kaa-%RANDOM%%RANDOM%.bat"
@CALL @PROGRAM@ reactivate --shell cmd > "%_KAA_FILE%" && CALL "%_KAA_FILE%"
@GOTO :remove
:switch
@SET "_KAA_FILE=%TEMP%\kaa-%RANDOM%%RANDOM%.bat"
@CALL @PROGRAM@ %* --shell cmd > "%_KAA_FILE%"
@IF NOT "%ERRORLEVEL%"=="0" (
    @DEL /Q "%_KAA_FILE%"
    @SET "_KAA_FILE="
    @EXIT /B 1
)
@CALL "%_KAA_FILE%"
:remove
@DEL /Q "%_KAA_FILE%"
@SET "_KAA_FILE="
